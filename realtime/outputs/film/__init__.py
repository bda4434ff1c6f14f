"""Films of a run: the body drawn over the camera's image, encoded while it runs."""
