#!/bin/sh
date -u +%s | tee /tmp/job
