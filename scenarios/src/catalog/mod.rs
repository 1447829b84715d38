//! The catalogue: nodes with prices, delays, GPUs, LLM step times. Every row carries its source.
