"""What the application knows, without widgets."""
