"""Questions to the DNS: asked early, awaited late, answered from one cache, every failure kept
apart from "no"."""
