"""The bench of hubstats: fine-tunes techniques and measures them. The only code that may import torch."""
