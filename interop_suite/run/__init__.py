"""One run of the suite: which cases, against what, how they are judged and recorded."""
