#!/bin/sh
echo Hello from a shell
