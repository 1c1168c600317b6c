"""Results that travel: one small archive, and everything that is checked before it is believed."""
