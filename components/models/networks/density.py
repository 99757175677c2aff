"""A Gaussian of embeddings with a covariance that few images suffice for.

Shapes: N embeddings of D numbers.
"""

import torch
from torch import Tensor


def shrunk_covariance(embeddings_ND: Tensor) -> Tensor:
    """Return the D × D covariance, drawn towards a multiple of the identity.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    2004, theorem 3.2: the share that comes closest to the true covariance is estimated from the
    embeddings themselves.
    """
    num, dim = embeddings_ND.shape
    centred = embeddings_ND - embeddings_ND.mean(dim=0)
    sample = centred.T @ centred / num
    level = sample.trace() / dim
    target = level * torch.eye(dim, dtype=sample.dtype, device=sample.device)
    spread = (sample - target).square().sum()
    error = (centred.square().sum(dim=1).square().mean() - sample.square().sum()) / num
    share = 0.0 if spread == 0 else float((error / spread).clamp(0, 1))
    return share * target + (1 - share) * sample


def whitening(covariance_DD: Tensor) -> Tensor:
    """Return W with WᵀW = Σ⁻¹: distances after it are Mahalanobis distances.

    Raises:
        torch.linalg.LinAlgError: Σ is not positive definite.
    """
    root = torch.linalg.cholesky(covariance_DD)
    identity = torch.eye(len(root), dtype=root.dtype, device=root.device)
    return torch.linalg.solve_triangular(root, identity, upper=False)
