"""The review pages and the REST interface: what people do with kept mail, in a browser."""
