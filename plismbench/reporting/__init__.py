"""Tables, pictures and the HTML report: for people; computes no number."""
