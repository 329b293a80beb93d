"""Kills the mover at random moments beside a live producer, and proves that no byte was lost.

`producer` writes files as loggers do and journals each content that it made durable; `content` says what
those bytes must be; `checker` looks for every journalled content in the `places` where it may be: source,
private areas, store; `mover` starts and kills the program under test. Nothing here imports outhaul.
"""
