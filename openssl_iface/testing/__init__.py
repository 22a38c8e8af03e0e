"""Tools to test TLS with: broken wires, a throwaway PKI, peers of other makes, a conformance kit.

They need nothing but this package and the standard library; peers of other makes need
their programs.  Import the module that you want::

    from openssl_iface.testing import wires
"""
