"""Bodies, armatures and bone maps as arrays, without bpy."""
