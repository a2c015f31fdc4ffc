"""Streams: frames of a sensor as they come, a decision at every frame, and what is said and shown of it.

    a source (:mod:`~mksgn.stream.sources`, :mod:`~mksgn.stream.playback`) runs in a thread of its own
      -> a bounded queue (:mod:`~mksgn.stream.frame_queue`)
      -> who is who (:mod:`~mksgn.stream.following`)
      -> a decision (:mod:`~mksgn.stream.decider`): of a window (:mod:`~mksgn.stream.window`), or frame by frame
         (:mod:`~mksgn.stream.framewise`)
      -> lines on the terminal (:mod:`~mksgn.stream.printing`), and a page (:mod:`~mksgn.stream.live`).

:class:`~mksgn.stream.session.Session` joins them. docs/live.md explains formats and messages.
"""
