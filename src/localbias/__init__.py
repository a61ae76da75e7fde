"""Local generation bias of diffusion models, measured: the package behind the book."""

__version__ = "0.1.0"
