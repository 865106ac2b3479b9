package index

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	"modernc.org/sqlite"

	"chancery/store"
)

// conn is one connection to the file with its prepared statements. It talks to the
// driver itself: database/sql costs more than a page, and would choose another
// connection in the middle. It is not safe for concurrent use.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
}

func dial(path string, pragmas ...string) (*conn, error) {
	c, err := (&sqlite.Driver{}).Open("file:" + (&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return nil, classify(err)
	}
	k := &conn{c: c, stmts: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := k.once("PRAGMA " + p); err != nil {
			return nil, errors.Join(err, k.close())
		}
	}
	return k, nil
}

func (k *conn) close() error {
	for _, s := range k.stmts {
		_ = s.Close() // the connection's own close reports what matters
	}
	return k.c.Close()
}

// classify says of SQLite's errors what callers branch on.
func classify(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch code := e.Code() & 0xFF; {
		case damages(code):
			return fmt.Errorf("%w: %w", err, errDamaged)
		case code == 13: // SQLITE_FULL
			return fmt.Errorf("index: %w: %w", err, store.ErrFull)
		case code == 8: // SQLITE_READONLY
			return fmt.Errorf("index: %w: %w", err, store.ErrReadOnly)
		}
	}
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// damages reports whether an error of SQLite says that the file is at fault: only
// then is it thrown away. A lock, a full disk or an interruption is none.
func damages(code int) bool {
	return code == 11 || code == 26 || code == 24 // SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT
}

func (k *conn) prepare(sql string) (driver.Stmt, error) {
	if s := k.stmts[sql]; s != nil {
		return s, nil
	}
	s, err := k.c.Prepare(sql)
	if err != nil {
		return nil, classify(err)
	}
	k.stmts[sql] = s
	return s, nil
}

// exec runs a statement whose result is of no interest; it stays prepared.
func (k *conn) exec(sql string, args ...driver.Value) error {
	s, err := k.prepare(sql)
	if err != nil {
		return err
	}
	_, err = run(s, args)
	return classify(err)
}

func run(s driver.Stmt, args []driver.Value) (driver.Result, error) {
	e, ok := s.(driver.StmtExecContext)
	if !ok {
		return nil, errors.New("index: the driver has changed")
	}
	return e.ExecContext(context.Background(), named(args)) // one that ends starts a goroutine a call
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// once runs a statement that will not come again.
func (k *conn) once(sql string) error {
	s, err := k.c.Prepare(sql)
	if err != nil {
		return classify(err)
	}
	_, err = run(s, nil)
	return classify(errors.Join(err, s.Close()))
}

// query calls row for each row until it returns an error.
func (k *conn) query(sql string, row func([]driver.Value) error, args ...driver.Value) error {
	s, err := k.prepare(sql)
	if err != nil {
		return err
	}
	q, ok := s.(driver.StmtQueryContext)
	if !ok {
		return errors.New("index: the driver has changed")
	}
	rows, err := q.QueryContext(context.Background(), named(args)) // one that ends starts a goroutine a call
	if err != nil {
		return classify(err)
	}
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err = rows.Next(values); err != nil {
			break
		}
		if err = row(values); err != nil {
			_ = rows.Close() // the caller's error matters more
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return classify(errors.Join(err, rows.Close()))
}

// blob is the first column of the first row, or nil.
func (k *conn) blob(sql string, args ...driver.Value) ([]byte, error) {
	var b []byte
	err := k.query(sql, func(v []driver.Value) error {
		b, _ = v[0].([]byte)
		return nil
	}, args...)
	return b, err
}

// number is the first column of the first row, if there is one.
func (k *conn) number(sql string, args ...driver.Value) (n int64, ok bool, err error) {
	err = k.query(sql, func(v []driver.Value) error {
		n, ok = v[0].(int64)
		return nil
	}, args...)
	return n, ok, err
}

func (k *conn) numbers(sql string, args ...driver.Value) (list []int64, err error) {
	err = k.query(sql, func(v []driver.Value) error {
		n, _ := v[0].(int64)
		list = append(list, n)
		return nil
	}, args...)
	return list, err
}

// asText is what a column of text or bytes holds.
func asText(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
