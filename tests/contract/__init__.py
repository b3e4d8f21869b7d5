"""What every runtime must do, run against each of them."""
