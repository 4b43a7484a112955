"""The Open Inference Protocol's tensors: what is asked, the model's runs, what is told."""
