"""What surfaces, light and backgrounds look like, and the sensor that sees them."""
