"""`ampgate reconcile`: did what was delivered arrive?"""
