"""Attestations: what came of a check, signed, for those who were not there."""

from hf_integration.attestation.attested import check_files, read_attestation
from hf_integration.attestation.verification_result import Attestation, AttestedFiles, attest, files_of

__all__ = ["Attestation", "AttestedFiles", "attest", "check_files", "files_of", "read_attestation"]
