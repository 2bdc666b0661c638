"""Reading of video and audio files."""
