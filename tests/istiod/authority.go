// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"istio.io/api/security/v1beta1"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/security"
	"istio.io/istio/security/pkg/server/ca/authenticate"
)

const (
	serverName    = "istiod.istio-system.svc"
	tokenAudience = "istio-ca"
	tokenIssuer   = "kubernetes/serviceaccount"
	tokenKeyID    = "isthmus-test"

	rootCertFile  = "root-cert.pem"
	rootKeyFile   = "root-key.pem"
	wrongRootFile = "wrong-root.pem"
	tokenKeyFile  = "jwt-key.pem"
)

// authority plays the cluster's certificate and token issuer. Its keys stay in dir and are used again.
type authority struct {
	dir      string
	jwksURL  string
	tokenKey *rsa.PrivateKey
	server   tls.Certificate
	roots    *x509.CertPool
}

func newAuthority(dir, jwksURL string) (*authority, error) {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "istiod-certs")
		if err != nil {
			return nil, err
		}
		dir = tmp
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	a := &authority{dir: dir, jwksURL: jwksURL, roots: x509.NewCertPool()}
	root, rootKey, err := a.root()
	if err != nil {
		return nil, err
	}
	a.roots.AddCert(root)
	if a.server, err = serverCertificate(root, rootKey); err != nil {
		return nil, err
	}
	a.tokenKey, err = a.loadTokenKey()
	return a, err
}

// tlsConfig is what istiod serves with on 15012.
func (a *authority) tlsConfig() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{a.server},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    a.roots,
		MinVersion:   tls.VersionTLS12,
	}
}

// authenticators checks service account tokens by istiod's own code.
func (a *authority) authenticators() ([]security.Authenticator, error) {
	rule := &v1beta1.JWTRule{Issuer: tokenIssuer, JwksUri: a.jwksURL, Audiences: []string{tokenAudience}}
	jwt, err := authenticate.NewJwtAuthenticator(rule, meshwatcher.NewTestWatcher(nil))
	if err != nil {
		return nil, err
	}
	return []security.Authenticator{jwt}, nil
}

// token mints a service account token as the kubelet would project it.
func (a *authority) token(namespace, account, audience string, lifetime time.Duration) (string, error) {
	now := time.Now()
	issued := now
	if lifetime <= 0 {
		issued = now.Add(lifetime - time.Hour)
	}
	claims := map[string]any{
		"iss": tokenIssuer, "aud": []string{audience}, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"iat": issued.Unix(), "nbf": issued.Unix(), "exp": now.Add(lifetime).Unix(),
		"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account}},
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","kid":"`+tokenKeyID+`"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.tokenKey, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return text + "." + encode(signature), nil
}

// jwks is the public half of the token key.
func (a *authority) jwks() ([]byte, error) {
	encode := base64.RawURLEncoding.EncodeToString
	public := a.tokenKey.PublicKey
	return json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": tokenKeyID,
		"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes()),
	}}})
}

// root loads the root certificate or makes one, together with an unrelated one for the wrong-root tests.
func (a *authority) root() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPath, keyPath := filepath.Join(a.dir, rootCertFile), filepath.Join(a.dir, rootKeyFile)
	if pair, err := tls.LoadX509KeyPair(certPath, keyPath); err == nil {
		k, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			return nil, nil, errors.New(keyPath + ": not an EC key")
		}
		cert, err := x509.ParseCertificate(pair.Certificate[0])
		return cert, k, err
	}
	if _, _, err := makeRoot("Wrong", filepath.Join(a.dir, wrongRootFile), ""); err != nil {
		return nil, nil, err
	}
	return makeRoot(clusterDomain, certPath, keyPath)
}

func makeRoot(organization, certPath, keyPath string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{Organization: []string{organization}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(certPath, "CERTIFICATE", der, 0o644); err != nil {
		return nil, nil, err
	}
	if keyPath != "" {
		if err := writeKey(keyPath, k); err != nil {
			return nil, nil, err
		}
	}
	cert, err := x509.ParseCertificate(der)
	return cert, k, err
}

func serverCertificate(root *x509.Certificate, rootKey *ecdsa.PrivateKey) (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{serverName, "istiod-remote.istio-system.svc", "istio-pilot.istio-system.svc"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, k.Public(), rootKey)
	return tls.Certificate{Certificate: [][]byte{der, root.Raw}, PrivateKey: k}, err
}

func (a *authority) loadTokenKey() (*rsa.PrivateKey, error) {
	path := filepath.Join(a.dir, tokenKeyFile)
	if text, err := os.ReadFile(path); err == nil {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, errors.New(path + ": not PEM")
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		k, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New(path + ": not an RSA key")
		}
		return k, nil
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return k, writeKey(path, k)
}

func writeKey(path string, k any) error {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
