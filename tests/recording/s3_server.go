// A server that speaks S3 over the folders of a folder, which are its buckets.
//
// s3-server ADDRESS BUCKETS ATTRIBUTES, with S3_KEY and S3_SECRET in the environment.
package main

import (
	"log"
	"os"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3-server ADDRESS BUCKETS ATTRIBUTES")
	}
	address, buckets, attributes := os.Args[1], os.Args[2], os.Args[3]
	key, secret := os.Getenv("S3_KEY"), os.Getenv("S3_SECRET")
	beside, err := meta.NewSideCar(attributes)
	if err != nil {
		log.Fatal(err)
	}
	store, err := posix.New(buckets, beside, posix.PosixOpts{SideCarDir: attributes})
	if err != nil {
		log.Fatal(err)
	}
	root := middlewares.RootUserConfig{Access: key, Secret: secret}
	owner := auth.Account{Access: key, Secret: secret, Role: auth.RoleAdmin}
	server, err := s3api.New(
		store, root, "us-east-1", auth.NewIAMServiceSingle(owner), nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(256, 256),
	)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ServeMultiPort([]string{address}))
}
