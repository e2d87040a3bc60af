"""What the functions of more than one workflow use; every package holds a copy."""
