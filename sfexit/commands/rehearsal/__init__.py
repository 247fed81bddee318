"""What `sfexit demo` plays: an exit from the first look at the contract to the last bill."""
