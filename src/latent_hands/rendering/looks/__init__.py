"""The look of an image: surfaces, light, background and sensor."""
