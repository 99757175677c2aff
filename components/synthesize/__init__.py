"""Defects drawn by rule on normal images, with exact masks.

A new kind is a new file and one more member of ``Synthesizer``; nothing else lists the kinds.
"""

from typing import Annotated

from pydantic import Field

from components.synthesize.cutpaste import CutPaste
from components.synthesize.nsa import Nsa
from components.synthesize.perlin import Perlin
from components.synthesize.warp import Warp

Synthesizer = Annotated[Warp | CutPaste | Nsa | Perlin, Field(discriminator="kind")]
