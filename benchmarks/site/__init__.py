"""The site that Django's contenders run in, one contender at a time."""
