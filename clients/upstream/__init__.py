"""A scripted provider that speaks four API formats from one script."""
