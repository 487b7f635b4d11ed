"""What an API server holds, as far as watches tell it: few bytes per object, never older than our own writes.

*Read first:* cached.py (what callers see), then informer.py (one kind's list and watch) and mirror.py (which of two
states is the newer one).
"""
