"""Cases below and beside the certification list: handshake, framing, order of messages, state, money, resources.

Ids are ours: HS handshake, AU authentication, TLS, ID identity and session, RPC framing and order, ST state and money,
RES resources, WS WebSocket. A rule that all versions share is one case in each of them.
"""
