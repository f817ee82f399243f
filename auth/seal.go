package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// sealVersion begins every seal, so that a later version of the format can tell this one from its own.
	sealVersion = "v1"
	saltSize    = 16
	sealPurpose = "xsoar-defender integration context " + sealVersion
)

var (
	errSealVersion = errors.New("sealed by another version")
	errSealBroken  = errors.New("sealed with another secret, or changed since")
)

// sealer encrypts records of the integration context, with AES-256-GCM under a key derived by HKDF-SHA256 from the
// instance's own secret. The platform stores the context like any data of an incident; a copy of it is worth nothing
// without the secret, which the platform stores elsewhere.
type sealer struct {
	secret []byte
	random io.Reader
}

// seal encrypts plain. Its place in the context is authenticated with it, so a seal moved to another place does not open.
func (s sealer) seal(plain []byte, place string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(s.random, salt); err != nil {
		return "", fmt.Errorf("random salt: %w", err)
	}
	aead, err := s.aead(salt)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return "", fmt.Errorf("random nonce: %w", err)
	}
	sealed := aead.Seal(append(salt, nonce...), nonce, plain, []byte(place))
	return sealVersion + "." + base64.RawStdEncoding.EncodeToString(sealed), nil
}

// open decrypts a seal made for the same place with the same secret. The error is errSealVersion or errSealBroken.
func (s sealer) open(text, place string) ([]byte, error) {
	version, encoded, _ := strings.Cut(text, ".")
	if version != sealVersion {
		return nil, errSealVersion
	}
	sealed, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(sealed) < saltSize {
		return nil, errSealBroken
	}
	salt, sealed := sealed[:saltSize], sealed[saltSize:]
	aead, err := s.aead(salt)
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, errSealBroken
	}
	nonce, sealed := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, []byte(place))
	if err != nil {
		return nil, errSealBroken
	}
	return plain, nil
}

// aead derives the key of one seal. Each has a salt of its own, so no two are made with the same key.
func (s sealer) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.secret, salt, sealPurpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derived key: %w", err)
	}
	return cipher.NewGCM(block)
}
