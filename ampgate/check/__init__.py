"""`ampgate check`: is everything in place to run?"""
