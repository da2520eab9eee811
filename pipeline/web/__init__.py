"""Fetching over HTTP: which addresses are taken, what a server may answer, one file whole and checked."""
