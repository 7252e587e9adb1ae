module expose-action.test/go-app

go 1.25.0
