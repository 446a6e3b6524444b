"""Where alerts go: to a webhook, and into clips. None of it ever makes an analysis wait."""
