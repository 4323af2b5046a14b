"""What measures and shows: assess, reproduce, demo."""
