"""Attributes of pages that are script: the names of the events that some browser knows.

Sources: the WHATWG's HTML standard (event handlers), the W3C's UI, pointer, touch, animation and
transition events, SVG 1.1 and 2, SMIL, and what Internet Explorer and Outlook's HTML had.
"""

from __future__ import annotations

import re

_EVENTS = frozenset(
    """
    abort activate afterprint afterscriptexecute afterupdate animationcancel animationend
    animationiteration animationstart auxclick beforeactivate beforecopy beforecut beforedeactivate
    beforeeditfocus beforeinput beforematch beforepaste beforeprint beforescriptexecute
    beforetoggle beforeunload beforeupdate beforexrselect begin blur bounce cancel canplay
    canplaythrough cellchange change click close command contentready contentsave
    contentvisibilityautostatechange contextlost contextmenu contextrestored controlselect copy
    cuechange cut dataavailable datasetchanged datasetcomplete dblclick deactivate devicelight
    devicemotion deviceorientation deviceorientationabsolute deviceproximity documentready drag
    dragdrop dragend dragenter dragexit dragleave dragover dragstart drop durationchange emptied
    end ended error errorupdate fencedtreeclick filterchange finish focus focusin focusout formdata
    fullscreenchange fullscreenerror gesturechange gestureend gesturestart gotpointercapture
    hashchange help input interest invalid keydown keypress keyup languagechange layoutcomplete
    linkerror load loadeddata loadedmetadata loadend loadstart location losecapture loseinterest
    lostpointercapture mediacomplete mediaerror message messageerror mousedown mouseenter
    mouseleave mousemove mouseout mouseover mouseup mousewheel move moveend movestart offline
    online orientationchange outofsync overflow overscroll pagehide pagereveal pageshow pageswap
    paste pause play playing pointercancel pointerdown pointerenter pointerleave pointermove
    pointerout pointerover pointerrawupdate pointerup popstate progress promptaction
    promptdismiss propertychange ratechange readystatechange rejectionhandled repeat reset resize
    resizeend resizestart resume reverse rowdelete rowenter rowexit rowinserted rowsdelete
    rowsinserted scroll scrollend scrollsnapchange scrollsnapchanging search
    securitypolicyviolation seek seeked seeking select selectionchange selectstart show slotchange
    snapchanged snapchanging sort stalled start stop storage submit suspend syncrestored
    timeerror timeout timeupdate toggle touchcancel touchend touchmove touchstart trackchange
    transitioncancel transitionend transitionrun transitionstart underflow unhandledrejection
    unload urlflip userproximity validationstatuschange visibilitychange volumechange waiting
    wheel zoom
    """.split()
)
_OF_ONE_BROWSER = ("moz", "ms", "webkit")

_ATTRIBUTE = re.compile(rb"(?i)[\s/\"']on([a-z]{3,40}+)\s*+=")


def has_handler(markup: bytes) -> bool:
    """True if an element has an attribute that is run as script."""
    return any(_is_event(match[1].decode("ascii").lower()) for match in _ATTRIBUTE.finditer(markup))


def _is_event(name: str) -> bool:
    return name in _EVENTS or name.startswith(_OF_ONE_BROWSER)
