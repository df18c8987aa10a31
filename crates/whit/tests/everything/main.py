"""Imports every module of the standard library that is written in C.

An executable that whit makes of it is an interpreter with all of them linked in,
with which scripts/cpython-tests.py runs CPython's own tests.
"""

# Inside of Debian's interpreter.
import _bisect, _blake2, _csv, _datetime, _elementtree, _heapq, _md5, _opcode, _pickle
import _posixsubprocess, _random, _sha1, _sha256, _sha3, _sha512, _socket, _statistics
import _struct, array, binascii, cmath, fcntl, grp, math, pyexpat, select, spwd, syslog
import unicodedata, xxsubtype, zlib

# Beside it.
import _asyncio, _bz2, _contextvars, _ctypes, _curses, _curses_panel, _decimal, _hashlib
import _json, _lsprof, _lzma, _multiprocessing, _posixshmem, _queue, _sqlite3, _ssl, _typing
import _uuid, _xxsubinterpreters, _zoneinfo, audioop, mmap, ossaudiodev, readline, resource
import termios
import _codecs_cn, _codecs_hk, _codecs_iso2022, _codecs_jp, _codecs_kr, _codecs_tw
import _multibytecodec

# For tests alone.
import _ctypes_test, _testbuffer, _testcapi, _testclinic, _testimportmultiple
import _testinternalcapi, _testmultiphase, _xxtestfuzz, xxlimited, xxlimited_35

# What stands on them.
import asyncio, ctypes, curses, dbm, decimal, doctest, multiprocessing, sqlite3, ssl
import unittest, xml.etree.ElementTree, zoneinfo

print("everything")
