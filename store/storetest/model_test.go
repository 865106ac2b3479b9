package storetest_test

import (
	"testing"

	"chancery/store"
	"chancery/store/storetest"
)

// The oracle keeps the contract itself.
func TestModel(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return storetest.NewModel() })
}
