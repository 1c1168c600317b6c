"""PLISM as it is published: downloaded, checked, or streamed from the Hub."""
