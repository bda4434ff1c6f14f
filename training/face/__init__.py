"""Makes the face's rig from rendered heads, as MediaPipe's face networks see them."""
