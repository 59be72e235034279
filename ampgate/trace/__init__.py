"""`ampgate trace`: where is my event?"""
