"""Sources of frames: cameras, video files, network cameras, folders of images, the demo clip."""
