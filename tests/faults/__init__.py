"""What the proofs share: doors that fail, processes of their own, and a judge of what arrived."""
