"""The named limits of MSYN/1 (protocol.md, Limits): each is checked before anything of its size is allocated."""

from __future__ import annotations

HANDSHAKE_BYTES = 4096  # one Noise handshake message
LOGIN_BYTES = 4096  # one message before AUTH_OK, on the wire; never compressed
FRAME_PLAIN = 65_519  # 65,535, Noise's own limit, less a 16-byte tag
MESSAGE_WIRE = 4 * 2**20  # body of one message as it travels
MESSAGE_INFLATED = 16 * 2**20  # the same, decompressed
CONTROL_BYTES = 2**20  # a JSON body, decompressed
CONTROL_DEPTH = 8
PAGE_ROWS = 8192  # rows and tombstones of a page together
DEFAULT_PAGE_ROWS = 4096
PAGES = 4  # of one SYNC; asking again is the back-pressure
BATCH_OPERATIONS = 10_000
BATCH_SOURCES = 10_000
CARRIED = 10_000  # volumes that one batch takes along in containers
REPOSITORIES = 8192
SCOPES = 8192  # of one SCOPES_OK
RUN_BATCHES = 10_000  # of one RUN_OK
AUDIENCES = 1000  # the same
ASKED_BATCHES = 1000  # of one LEDGER
TEXT = 4096  # characters of any string
TABLE_TEXT = 16 * 2**20  # characters of all texts of a table, however few bytes they travel in
INTEGER = 2**60  # numbers of a column, either side of 0: the difference of two fits 64 bits
VERSION = 2**53 - 1  # versions and counts stay exact in every JSON reader
LOGIN_PINGS = 2  # PINGs before AUTH
PING_BYTES = 8
BYE_BYTES = 4096  # the one message that is not padded, in one frame
REKEY_FRAMES = 16_384
WAITING_BYTES = 2**17  # unread bytes while a question to the server's caller is open
OUTSTANDING = 16  # requests a client may have under way
