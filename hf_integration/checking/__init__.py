"""What is checked and what that rests on: names, pins, signers, claims and waivers."""
