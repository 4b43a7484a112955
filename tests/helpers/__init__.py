"""What several test modules share: a loopback origin, encoded images, model files made by hand."""
