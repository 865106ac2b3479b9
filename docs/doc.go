// Package docs holds the documents of chancery and the test that keeps the rules
// of the house: who may import whom, one package comment each, and that what the
// documents show is true.
package docs
