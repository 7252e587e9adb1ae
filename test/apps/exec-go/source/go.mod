module expose.test/exec-go

go 1.24
